output "service_arn" {
  description = "ARN of the service."
  value       = aws_ecs_service.main.id
}

output "service_name" {
  description = "Name of the service."
  value       = aws_ecs_service.main.name
}

output "task_definition_arn" {
  description = "Task definition that the service runs."
  value       = aws_ecs_task_definition.main.arn
}
