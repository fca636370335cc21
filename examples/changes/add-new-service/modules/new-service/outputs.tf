output "service_arn" {
  description = "ARN of the service."
  value       = aws_ecs_service.new_service.id
}

output "service_name" {
  description = "Name of the service."
  value       = aws_ecs_service.new_service.name
}
