output "organization_id" {
  description = "The organization."
  value       = aws_organizations_organization.main.id
}

output "root_id" {
  description = "Root of the organization, to which the policies are attached."
  value       = aws_organizations_organization.main.roots[0].id
}

output "policy_ids" {
  description = "The service control policies, by name."
  value = {
    guardrails = aws_organizations_policy.guardrails.id
    regions    = aws_organizations_policy.regions.id
  }
}
