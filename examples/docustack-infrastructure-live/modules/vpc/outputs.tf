output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.main.id
}

output "cidr_block" {
  description = "Address range of the VPC."
  value       = aws_vpc.main.cidr_block
}

output "public_subnet_ids" {
  description = "Public subnets, one a zone."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "private_subnet_ids" {
  description = "Private subnets, one a zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}
